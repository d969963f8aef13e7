include(GoogleTest)

# cleave_room(NAME [UNHURRIED] [ROOMS room...] [LINK target...] [TEST_LINK target...] [PROTOS file...])
#
# A static library cleave_NAME from NAME/*.cc, a test program NAME_test from NAME/*_test.cc and, with CLEAVE_FUZZERS, a
# fuzzer from each NAME/*_fuzzer.cc. ROOMS are the rooms below that it uses; LINK are libraries, TEST_LINK those that only
# its tests need. UNHURRIED says that the room computes nothing that needs optimizing. A room without sources is an
# interface library, so that the list of rooms is always whole.
# Sources of a room are compiled several at a time: reading headers is most of a file's cost, so that a clean build takes
# a fraction of the time. So names in anonymous namespaces differ within a room.
function(cleave_room NAME)
  cmake_parse_arguments(ROOM "UNHURRIED" "" "ROOMS;LINK;TEST_LINK;PROTOS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${NAME}/*.cc)
  set(tests ${sources})
  set(fuzzers ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzzer\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|_fuzzer|/main|/peer_main)\\.cc$")
  list(TRANSFORM ROOM_ROOMS PREPEND cleave_)
  # Optimization is a third of the time to compile a test, under the sanitizers half; only the rooms' own loops need it.
  if(CLEAVE_SANITIZE)
    set(unhurried -O0)
  else()
    set(unhurried $<$<CONFIG:Release>:-O1>)
  endif()

  if(sources)
    cleave_batches(batches ${NAME} ${sources})
    add_library(cleave_${NAME} STATIC ${batches})
    target_include_directories(cleave_${NAME} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(cleave_${NAME} PUBLIC ${ROOM_ROOMS} ${ROOM_LINK})
    if(ROOM_UNHURRIED)
      target_compile_options(cleave_${NAME} PRIVATE ${unhurried})
    endif()
    foreach(proto ${ROOM_PROTOS})
      cleave_proto(cleave_${NAME} ${NAME} ${proto})
    endforeach()
  else()
    add_library(cleave_${NAME} INTERFACE)
    target_include_directories(cleave_${NAME} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(cleave_${NAME} INTERFACE ${ROOM_ROOMS} ${ROOM_LINK})
  endif()

  if(tests)
    cleave_batches(batches ${NAME}_test ${tests})
    add_executable(${NAME}_test ${batches})
    target_link_libraries(${NAME}_test PRIVATE cleave_${NAME} ${ROOM_TEST_LINK} GTest::gmock GTest::gtest_main)
    target_compile_definitions(${NAME}_test PRIVATE CLEAVE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_compile_options(${NAME}_test PRIVATE ${unhurried})
    gtest_discover_tests(${NAME}_test DISCOVERY_MODE PRE_TEST PROPERTIES LABELS ${NAME} TIMEOUT 600)
  endif()

  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${NAME}/main.cc)
    add_executable(cleave ${NAME}/main.cc)
    target_link_libraries(cleave PRIVATE cleave_${NAME})
    set_target_properties(cleave PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  endif()

  cleave_python_tests(${NAME})

  if(CLEAVE_FUZZERS)
    foreach(fuzzer ${fuzzers})
      get_filename_component(target ${fuzzer} NAME_WE)
      add_executable(${target} ${fuzzer})
      target_link_libraries(${target} PRIVATE cleave_${NAME})
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    endforeach()
  endif()
endfunction()

# Sets OUT to sources that include the given ones, CLEAVE_BATCH_SIZE each. They name them as other includes do, so that
# ccache knows them again in another clone.
function(cleave_batches OUT STEM)
  set(sources ${ARGN})
  set(batches)
  list(LENGTH sources count)
  math(EXPR last "(${count} - 1) / ${CLEAVE_BATCH_SIZE}")
  foreach(number RANGE ${last})
    math(EXPR begin "${number} * ${CLEAVE_BATCH_SIZE}")
    list(SUBLIST sources ${begin} ${CLEAVE_BATCH_SIZE} batch)
    set(text)
    foreach(source ${batch})
      cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${CMAKE_SOURCE_DIR})
      string(APPEND text "#include \"${source}\"\n")
    endforeach()
    set(file ${CMAKE_BINARY_DIR}/batches/${STEM}_${number}.cc)
    file(CONFIGURE OUTPUT ${file} CONTENT "${text}" @ONLY)
    list(APPEND batches ${file})
  endforeach()
  set(${OUT} ${batches} PARENT_SCOPE)
endfunction()

# A program NAME_peer from NAME/peer_main.cc, for other software to talk to, and a test from each NAME/*_test.py. Such a
# script gets the path of NAME_peer as its argument when there is one; tools/run_python_test says what else.
function(cleave_python_tests NAME)
  set(peer)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${NAME}/peer_main.cc)
    add_executable(${NAME}_peer ${NAME}/peer_main.cc)
    target_link_libraries(${NAME}_peer PRIVATE cleave_${NAME})
    set(peer $<TARGET_FILE:${NAME}_peer>)
  endif()
  file(GLOB scripts CONFIGURE_DEPENDS ${NAME}/*_test.py)
  foreach(script ${scripts})
    get_filename_component(test ${script} NAME_WE)
    add_test(NAME ${NAME}.${test} COMMAND ${CMAKE_SOURCE_DIR}/tools/run_python_test ${script} ${peer})
    set_tests_properties(${NAME}.${test} PROPERTIES LABELS ${NAME} TIMEOUT 600 SKIP_RETURN_CODE 77
                         ENVIRONMENT "CLEAVE_BUILD_DIR=${CMAKE_BINARY_DIR};CLEAVE_PROGRAM=${CMAKE_BINARY_DIR}/cleave")
  endforeach()
endfunction()

# Generates FILE's C++ into the build folder; the generated code is free of this project's warnings.
function(cleave_proto TARGET FOLDER FILE)
  get_filename_component(stem ${FILE} NAME_WE)
  set(out ${CMAKE_BINARY_DIR}/generated/${FOLDER})
  file(MAKE_DIRECTORY ${out})
  add_custom_command(
    OUTPUT ${out}/${stem}.pb.cc ${out}/${stem}.pb.h
    COMMAND protobuf::protoc --cpp_out=${CMAKE_BINARY_DIR}/generated -I ${CMAKE_SOURCE_DIR}
            ${CMAKE_SOURCE_DIR}/${FOLDER}/${FILE}
    DEPENDS ${CMAKE_SOURCE_DIR}/${FOLDER}/${FILE})
  set_source_files_properties(${out}/${stem}.pb.cc PROPERTIES COMPILE_OPTIONS "-w")
  target_sources(${TARGET} PRIVATE ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
  target_include_directories(${TARGET} SYSTEM PRIVATE ${CMAKE_BINARY_DIR}/generated)
endfunction()

# Each benchmarks/*_benchmark.cc is a program of its own, linked with every room.
function(cleave_benchmarks)
  if(CLEAVE_SANITIZE)
    return()
  endif()
  file(GLOB sources CONFIGURE_DEPENDS benchmarks/*_benchmark.cc)
  foreach(source ${sources})
    get_filename_component(target ${source} NAME_WE)
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE cleave_cli benchmark::benchmark)
  endforeach()
endfunction()

# The pages of `cleave serve`, beside the program: part of the build, but no part of the program (tools/build_web). The
# sanitizers have nothing to find in them.
function(cleave_web)
  if(CLEAVE_SANITIZE)
    return()
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS server/web/*)
  add_custom_command(
    OUTPUT ${CMAKE_BINARY_DIR}/web/index.html
    COMMAND ${CMAKE_SOURCE_DIR}/tools/build_web ${CMAKE_BINARY_DIR}/web_packages ${CMAKE_BINARY_DIR}/web
    DEPENDS ${sources} ${CMAKE_SOURCE_DIR}/tools/build_web
    COMMENT "Making the web page"
    VERBATIM)
  add_custom_target(web ALL DEPENDS ${CMAKE_BINARY_DIR}/web/index.html)
endfunction()
