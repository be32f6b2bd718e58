# What envision/ reads: WordNet's files, replies of models and of image endpoints, labels, the cache.
foreach(target wordnet hypernyms reply filter chat_reply imagegen_reply exchange)
  mmood_fuzz(${target})
endforeach()
