# Builds the command line with cargo: the program masstree, which contains the library, in bin/ of the
# build directory, and its completions for shells in completions/.
include(GNUInstallDirs)

# It takes minutes to build, and no test in C needs it: the Makefile names the target where it does.
option(MASSTREE_CLI_IN_ALL "Build the command line with everything else" ON)
mark_as_advanced(MASSTREE_CLI_IN_ALL)

function(masstree_add_cli)
  set(bin "${CMAKE_CURRENT_BINARY_DIR}/bin")
  set(completions "${CMAKE_CURRENT_BINARY_DIR}/completions")
  set(in_all "")
  if(MASSTREE_CLI_IN_ALL)
    set(in_all ALL)
  endif()
  # cargo locks its directory: the library first.
  add_custom_target(masstree_cli ${in_all}
    COMMAND "${MASSTREE_CARGO}" build --quiet --profile tool --package masstree-cli
      --target-dir "${MASSTREE_CARGO_TARGET_DIR}"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${bin}" "${completions}"
    COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${MASSTREE_CARGO_TARGET_DIR}/tool/masstree" "${bin}/masstree"
    COMMAND "${bin}/masstree" generate "${completions}"
    BYPRODUCTS "${bin}/masstree"
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "masstree ${PROJECT_VERSION}"
    VERBATIM)
  add_dependencies(masstree_cli masstree_library)
endfunction()

# Those who build the target masstree_library alone install no command line.
function(masstree_install_cli)
  install(PROGRAMS "${CMAKE_CURRENT_BINARY_DIR}/bin/masstree" TYPE BIN OPTIONAL)
  set(completions "${CMAKE_CURRENT_BINARY_DIR}/completions")
  install(FILES "${completions}/masstree.bash" RENAME masstree
    DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" OPTIONAL)
  install(FILES "${completions}/_masstree"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions" OPTIONAL)
  install(FILES "${completions}/masstree.fish"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d" OPTIONAL)
  install(FILES docs/masstree.1 DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
endfunction()
