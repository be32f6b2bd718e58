# What envision/ reads: WordNet's files and replies of models.
foreach(target wordnet reply)
  mmood_fuzz(${target})
endforeach()
