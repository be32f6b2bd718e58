# What envision/ reads: WordNet's files, replies of models and of image endpoints, the cache.
foreach(target wordnet reply chat_reply imagegen_reply exchange)
  mmood_fuzz(${target})
endforeach()
