# What envision/ reads: WordNet's files, replies of models and of image endpoints, labels, the cache, prompts, headers.
foreach(target wordnet hypernyms reply filter chat_reply imagegen_reply exchange prompts
  discussions download_head)
  mmood_fuzz(${target})
endforeach()
