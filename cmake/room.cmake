# Warnings for our own code only; libraries come in as system headers.
add_library(rillgate_warnings INTERFACE)
target_compile_options(rillgate_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Woverloaded-virtual
  $<$<BOOL:${RILLGATE_WERROR}>:-Werror>)

# rillgate_room(NAME [ROOMS other rooms...] [LIBS libraries...])
#
# One target a room: every .cc below src/NAME. ROOMS is the only place that says which rooms NAME may include;
# tests/structure reads it from here and holds the sources to it.
function(rillgate_room name)
  cmake_parse_arguments(ROOM "" "" "ROOMS;LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  list(TRANSFORM ROOM_ROOMS PREPEND rillgate_)
  if(sources)
    add_library(rillgate_${name} STATIC ${sources})
    target_include_directories(rillgate_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(rillgate_${name} PUBLIC ${ROOM_ROOMS} ${ROOM_LIBS} PRIVATE rillgate_warnings)
  else()
    add_library(rillgate_${name} INTERFACE)
    target_include_directories(rillgate_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(rillgate_${name} INTERFACE ${ROOM_ROOMS} ${ROOM_LIBS})
  endif()
  set_property(GLOBAL APPEND PROPERTY RILLGATE_ROOMS rillgate_${name})
endfunction()
