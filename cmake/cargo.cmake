# Builds the Rust library with cargo and defines CMake targets for it.
#
# cargo runs at every build: only cargo can tell whether the sources have changed, and it
# is quick if they have not. The libraries are copied to lib/ of the build directory under
# their installed names (libmasstree.so.0 is the name that the loader looks for), and
# programs link against these copies: so another cargo command in the same target
# directory cannot replace a library while a test runs.

set(MASSTREE_LIBRARY_FILE "" CACHE FILEPATH
  "A libmasstree.so built elsewhere (with a sanitizer, say) to use instead of building one")
# By default outside of the source tree, which may be read-only or belong to another
# project. The Makefile passes the crate's own target/, which cargo test and clippy use
# anyway.
set(MASSTREE_CARGO_TARGET_DIR "${CMAKE_CURRENT_BINARY_DIR}/cargo" CACHE PATH
  "The target directory of cargo")

set(MASSTREE_CARGO_TARGET "$ENV{CARGO_BUILD_TARGET}" CACHE STRING
  "Rust's name for the target, in a cross build (aarch64-unknown-linux-gnu, say); empty: the host")

set(masstree_lib_dir "${CMAKE_CURRENT_BINARY_DIR}/lib")
set(masstree_include_dir "${CMAKE_CURRENT_SOURCE_DIR}/include")
file(STRINGS "${masstree_include_dir}/masstree.h" masstree_soname
  REGEX "^#define MASSTREE_ABI_VERSION [0-9]+")
string(REGEX REPLACE ".* " "libmasstree.so." masstree_soname "${masstree_soname}")

# Asks rustc for the system libraries that a program must link with the static library:
# those of Rust's standard library, since no dependency of ours needs others.
function(masstree_find_native_static_libs)
  if(DEFINED CACHE{MASSTREE_NATIVE_STATIC_LIBS})
    return()
  endif()
  get_filename_component(cargo_dir "${MASSTREE_CARGO}" DIRECTORY)
  find_program(MASSTREE_RUSTC rustc HINTS "${cargo_dir}")
  set(probe "${CMAKE_CURRENT_BINARY_DIR}/native-static-libs")
  file(WRITE "${probe}/empty.rs" "")
  set(command "${MASSTREE_RUSTC}" --crate-type staticlib --print native-static-libs
    --out-dir "${probe}" "${probe}/empty.rs")
  set(target "")
  if(MASSTREE_CARGO_TARGET)
    set(target --target "${MASSTREE_CARGO_TARGET}")
  endif()
  execute_process(COMMAND ${command} ${target}
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    RESULT_VARIABLE failed OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(failed AND target)
    # cargo builds the target's standard library itself (build-std). On another processor, Linux has
    # the same libraries.
    execute_process(COMMAND ${command}
      WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
      RESULT_VARIABLE failed OUTPUT_VARIABLE text ERROR_VARIABLE text)
  endif()
  if(failed OR NOT text MATCHES "native-static-libs: ([^\n]*)")
    message(FATAL_ERROR "rustc does not print the native static libraries:\n${text}")
  endif()
  separate_arguments(libs UNIX_COMMAND "${CMAKE_MATCH_1}")
  list(REMOVE_DUPLICATES libs)
  set(MASSTREE_NATIVE_STATIC_LIBS "${libs}" CACHE STRING
    "The system libraries that a program links with libmasstree.a")
  mark_as_advanced(MASSTREE_NATIVE_STATIC_LIBS MASSTREE_RUSTC)
endfunction()

# Defines the target masstree_library, which copies the libraries to lib/, and the imported
# targets that link them.
function(masstree_stage built_by shared_from static_from)
  set(shared "${masstree_lib_dir}/libmasstree.so.${PROJECT_VERSION}")
  set(static "${masstree_lib_dir}/libmasstree.a")
  set(copy_static "")
  set(byproducts "${shared}")
  if(static_from)
    set(copy_static
      COMMAND "${CMAKE_COMMAND}" -E env
        "LD=${CMAKE_LINKER}" "OBJCOPY=${CMAKE_OBJCOPY}" "AR=${CMAKE_AR}"
        "${CMAKE_CURRENT_SOURCE_DIR}/cmake/isolate.sh"
        "${masstree_include_dir}" "${static_from}" "${static}")
    list(APPEND byproducts "${static}")
  endif()
  add_custom_target(masstree_library ALL
    ${built_by}
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${masstree_lib_dir}"
    COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${shared_from}" "${shared}"
    COMMAND "${CMAKE_COMMAND}" -E create_symlink
      "libmasstree.so.${PROJECT_VERSION}" "${masstree_lib_dir}/${masstree_soname}"
    COMMAND "${CMAKE_COMMAND}" -E create_symlink
      ${masstree_soname} "${masstree_lib_dir}/libmasstree.so"
    ${copy_static}
    BYPRODUCTS ${byproducts}
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "libmasstree ${PROJECT_VERSION}"
    VERBATIM)

  add_library(masstree::masstree SHARED IMPORTED GLOBAL)
  add_dependencies(masstree::masstree masstree_library)
  set_target_properties(masstree::masstree PROPERTIES
    IMPORTED_LOCATION "${shared}"
    IMPORTED_SONAME ${masstree_soname}
    INTERFACE_INCLUDE_DIRECTORIES "${masstree_include_dir}")
  if(static_from)
    add_library(masstree::masstree_static STATIC IMPORTED GLOBAL)
    add_dependencies(masstree::masstree_static masstree_library)
    set_target_properties(masstree::masstree_static PROPERTIES
      IMPORTED_LOCATION "${static}"
      INTERFACE_INCLUDE_DIRECTORIES "${masstree_include_dir}"
      INTERFACE_LINK_LIBRARIES "${MASSTREE_NATIVE_STATIC_LIBS}")
  endif()
endfunction()

# Defines masstree::masstree and, unless MASSTREE_LIBRARY_FILE names a shared library,
# masstree::masstree_static.
function(masstree_add_library)
  if(MASSTREE_LIBRARY_FILE)
    masstree_stage("" "${MASSTREE_LIBRARY_FILE}" "")
    return()
  endif()
  find_program(MASSTREE_CARGO cargo HINTS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin")
  if(NOT MASSTREE_CARGO)
    message(FATAL_ERROR "cargo was not found: install Rust (https://rustup.rs)")
  endif()
  masstree_find_native_static_libs()
  # These two crate types only: if it also builds an rlib, rustc omits link-time
  # optimisation.
  set(options "")
  if(MASSTREE_ANNOTATE_TSAN)
    set(options --features annotate)
  endif()
  set(built "${MASSTREE_CARGO_TARGET_DIR}/release")
  set(linker "")
  if(MASSTREE_CARGO_TARGET)
    list(APPEND options --target "${MASSTREE_CARGO_TARGET}")
    set(built "${MASSTREE_CARGO_TARGET_DIR}/${MASSTREE_CARGO_TARGET}/release")
    string(TOUPPER "CARGO_TARGET_${MASSTREE_CARGO_TARGET}_LINKER" linker)
    string(REPLACE "-" "_" linker "${linker}")
    set(linker "${CMAKE_COMMAND}" -E env "${linker}=${CMAKE_C_COMPILER}")
  endif()
  set(cargo COMMAND ${linker} "${MASSTREE_CARGO}" rustc --quiet --release --lib ${options}
    --crate-type cdylib,staticlib --target-dir "${MASSTREE_CARGO_TARGET_DIR}")
  masstree_stage("${cargo}" "${built}/libmasstree.so" "${built}/libmasstree.a")
endfunction()
