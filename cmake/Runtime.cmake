# The runtime, compiled for each target whose compiler is here, into build/runtime/TRIPLE/:
#   libingot_runtime.a    everything but the files below
#   main.o                the command line of a standalone program
#   main_profile.o        the same for one built with --profile
#   probe.o               what `ingot check` runs instead of it
#   team_pthreads.o, team_openmp.o, team_none.o, team_host.o    one of them is linked
#   calm_openmp.o         with team_openmp.o into a standalone program
# The files are linked into users' programs, so they are always optimised, whatever the build type: for
# speed where data or calls pass through, for size elsewhere.
set(INGOT_RUNTIME_FAST convert dataset element event_count inflate instance number order profile team team_host team_none
  team_openmp team_pthreads tensor_file_csv training)
set(INGOT_TRIPLES x86_64-linux-gnu aarch64-linux-gnu arm-linux-gnueabihf)
set(INGOT_HOST ${CMAKE_C_LIBRARY_ARCHITECTURE})
if(NOT INGOT_HOST)
  set(INGOT_HOST ${CMAKE_HOST_SYSTEM_PROCESSOR}-linux-gnu)
endif()

set(runtime_flags -std=gnu11 -DNDEBUG -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections
  -fno-asynchronous-unwind-tables -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -I${CMAKE_SOURCE_DIR}
  ${INGOT_WARNINGS})

# Compiles `source` to `object`, noting in `depend` what it includes, with the flags that follow.
function(runtime_object compiler source object depend)
  add_custom_command(OUTPUT ${object}
    COMMAND ${compiler} ${runtime_flags} ${ARGN} -MD -MF ${depend} -MT ${object} -c ${source} -o ${object}
    DEPENDS ${source} DEPFILE ${depend} VERBATIM COMMENT "Building runtime object ${object}")
endfunction()

function(runtime_for triple compiler archiver)
  set(folder ${CMAKE_BINARY_DIR}/runtime/${triple})
  file(MAKE_DIRECTORY ${folder}/objects)
  set(flags)
  if(triple STREQUAL arm-linux-gnueabihf)
    set(flags -march=armv7-a+neon -mfpu=neon -mfloat-abi=hard)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS
    ${CMAKE_SOURCE_DIR}/runtime/*.c ${CMAKE_SOURCE_DIR}/driver/probe/probe.c)
  set(inside)
  set(beside)
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    if(name MATCHES "^(main|main_profile|probe|calm_openmp|team_pthreads|team_openmp|team_none|team_host)$")
      set(object ${folder}/${name}.o)
      list(APPEND beside ${object})
    else()
      set(object ${folder}/objects/${name}.o)
      list(APPEND inside ${object})
    endif()
    set(own_flags -Os)
    if(name IN_LIST INGOT_RUNTIME_FAST)
      set(own_flags -O2)
    endif()
    if(name STREQUAL team_openmp)
      list(APPEND own_flags -fopenmp)
    endif()
    runtime_object(${compiler} ${source} ${object} ${folder}/objects/${name}.d ${flags} ${own_flags})
  endforeach()
  set(archive ${folder}/libingot_runtime.a)
  add_custom_command(OUTPUT ${archive}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
    COMMAND ${archiver} rcsD ${archive} ${inside}
    DEPENDS ${inside} VERBATIM COMMENT "Runtime for ${triple}")
  add_custom_target(runtime_${triple} DEPENDS ${archive} ${beside})
  add_dependencies(runtimes runtime_${triple})
endfunction()

function(ingot_runtimes)
  add_custom_target(runtimes ALL)
  foreach(triple IN LISTS INGOT_TRIPLES)
    if(triple STREQUAL INGOT_HOST)
      runtime_for(${triple} ${CMAKE_C_COMPILER} ${CMAKE_AR})
      continue()
    endif()
    find_program(INGOT_CC_${triple} ${triple}-gcc)
    find_program(INGOT_AR_${triple} ${triple}-ar)
    if(INGOT_CC_${triple} AND INGOT_AR_${triple})
      runtime_for(${triple} ${INGOT_CC_${triple}} ${INGOT_AR_${triple}})
    else()
      message(STATUS "No ${triple}-gcc: --target=${triple} will not link")
    endif()
  endforeach()
endfunction()
