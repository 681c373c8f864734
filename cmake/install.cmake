# Installs libraries, headers, documentation, and the files by which CMake and pkg-config
# find the library. Both contain paths relative to their own, so that the prefix can be
# moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

function(masstree_install_libraries)
  install(FILES
    "${masstree_lib_dir}/libmasstree.so.${PROJECT_VERSION}"
    TYPE LIB
    PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
      GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  # Symbolic links are installed as such.
  install(FILES
    "${masstree_lib_dir}/${masstree_soname}" "${masstree_lib_dir}/libmasstree.so"
    TYPE LIB)
  if(TARGET masstree::masstree_static)
    install(FILES "${masstree_lib_dir}/libmasstree.a" TYPE LIB)
  endif()
endfunction()

function(masstree_install_cmake_package)
  set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/masstree")
  configure_package_config_file(
    cmake/masstree-config.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/masstree-config.cmake"
    INSTALL_DESTINATION "${package_dir}"
    PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
  write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/masstree-config-version.cmake"
    COMPATIBILITY SameMajorVersion)
  install(FILES
    "${CMAKE_CURRENT_BINARY_DIR}/masstree-config.cmake"
    "${CMAKE_CURRENT_BINARY_DIR}/masstree-config-version.cmake"
    DESTINATION "${package_dir}")
endfunction()

function(masstree_install_pkgconfig)
  set(package_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
  # If the directory is absolute, the prefix cannot be moved.
  if(IS_ABSOLUTE "${package_dir}")
    set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
  else()
    file(RELATIVE_PATH pc_prefix "/prefix/${package_dir}" /prefix)
    string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${pc_prefix}")
  endif()
  foreach(name libdir includedir)
    string(TOUPPER "CMAKE_INSTALL_${name}" dir)
    set(pc_${name} "${${dir}}")
    if(NOT IS_ABSOLUTE "${pc_${name}}")
      set(pc_${name} "\${prefix}/${pc_${name}}")
    endif()
  endforeach()
  list(JOIN MASSTREE_NATIVE_STATIC_LIBS " " pc_libs_private)
  configure_file(cmake/masstree.pc.in "${CMAKE_CURRENT_BINARY_DIR}/masstree.pc" @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/masstree.pc" DESTINATION "${package_dir}")
endfunction()

# Keeps the layout of the repository, so that the README's links to pages and examples work.
function(masstree_install_documentation)
  install(FILES LICENSE LICENSE-APACHE LICENSE-MIT README.md CHANGELOG.md CONTRIBUTING.md TESTING.md
    TYPE DOC)
  install(DIRECTORY docs/ DESTINATION "${CMAKE_INSTALL_DOCDIR}/docs" FILES_MATCHING
    PATTERN *.md PATTERN *.svg)
  install(DIRECTORY examples/c examples/cpp examples/python
    DESTINATION "${CMAKE_INSTALL_DOCDIR}/examples" FILES_MATCHING
    PATTERN *.c PATTERN *.h PATTERN *.cpp PATTERN *.py)
  install(FILES docs/masstree.3 DESTINATION "${CMAKE_INSTALL_MANDIR}/man3")
endfunction()

function(masstree_install)
  masstree_install_libraries()
  install(DIRECTORY include/ TYPE INCLUDE FILES_MATCHING
    PATTERN *.h PATTERN *.hpp PATTERN *.hh PATTERN masstree_beta/README.md)
  masstree_install_cmake_package()
  masstree_install_pkgconfig()
  masstree_install_documentation()
  if(MASSTREE_BUILD_CLI)
    masstree_install_cli()
  endif()
endfunction()
