# What serve/ reads: bodies of requests with their Content-Type and query.
if(MMOOD_SERVE)
  mmood_fuzz(body)
  if(TARGET fuzz_body)
    target_link_libraries(fuzz_body PRIVATE mmood_serve)
  endif()
endif()
