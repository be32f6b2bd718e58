# What envision/ reads.
mmood_fuzz(wordnet)
