# mmood_embed(NAME FILE): embedded_NAME.c in the current binary folder, with the file's bytes as mm_embedded_NAME
# and mm_embedded_NAME_size; made again when the file changes.
set(MMOOD_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(mmood_embed name file)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded_${name}.c)
  add_custom_command(OUTPUT ${out} DEPENDS ${file} ${MMOOD_EMBED_SCRIPT} VERBATIM
    COMMAND ${CMAKE_COMMAND} -DNAME=${name} -DIN=${file} -DOUT=${out} -P ${MMOOD_EMBED_SCRIPT})
endfunction()

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  file(READ ${IN} bytes HEX)
  string(LENGTH "${bytes}" size)
  math(EXPR size "${size} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  file(WRITE ${OUT} "#include <stddef.h>\nextern const unsigned char mm_embedded_${NAME}[];\nextern const size_t mm_embedded_${NAME}_size;\nconst unsigned char mm_embedded_${NAME}[] = {${bytes}0};\nconst size_t mm_embedded_${NAME}_size = ${size};\n")
endif()
