# Finds the newest LLVM from 19 on by its llvm-config and makes the target `llvm` (headers and the
# shared libLLVM). -DLLVM_CONFIG=… names one by hand.
if(NOT LLVM_CONFIG)
  file(GLOB candidates /usr/lib/llvm-*/bin/llvm-config /usr/bin/llvm-config-* /usr/local/bin/llvm-config*
       /usr/bin/llvm-config)
  set(best_version 0)
  foreach(candidate IN LISTS candidates)
    execute_process(COMMAND ${candidate} --version OUTPUT_VARIABLE version ERROR_QUIET
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(version VERSION_GREATER best_version)
      set(best_version ${version})
      set(best ${candidate})
    endif()
  endforeach()
  set(LLVM_CONFIG ${best} CACHE FILEPATH "llvm-config of LLVM 19 or newer" FORCE)
endif()

function(llvm_config result)
  execute_process(COMMAND ${LLVM_CONFIG} ${ARGN} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  set(${result} ${text} PARENT_SCOPE)
endfunction()

if(NOT LLVM_CONFIG)
  message(FATAL_ERROR "No LLVM found: install llvm-19-dev or newer, or run ./dev setup")
endif()
llvm_config(llvm_version --version)
if(llvm_version VERSION_LESS 19)
  message(FATAL_ERROR "LLVM ${llvm_version} is too old: install llvm-19-dev or newer, or run ./dev setup")
endif()
llvm_config(llvm_include --includedir)
llvm_config(llvm_folder --libdir)
llvm_config(llvm_libraries --link-shared --libs)
separate_arguments(llvm_libraries)
message(STATUS "LLVM ${llvm_version} by ${LLVM_CONFIG}")

add_library(llvm INTERFACE)
target_include_directories(llvm SYSTEM INTERFACE ${llvm_include})
target_link_directories(llvm INTERFACE ${llvm_folder})
target_link_libraries(llvm INTERFACE ${llvm_libraries})
