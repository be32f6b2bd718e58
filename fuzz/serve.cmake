# What serve/ reads: bodies of requests with their Content-Type and query, and whole requests through the server.
if(MMOOD_SERVE)
  foreach(target body request)
    mmood_fuzz(${target})
    if(TARGET fuzz_${target})
      target_link_libraries(fuzz_${target} PRIVATE mmood_serve)
    endif()
  endforeach()
endif()
