# Weights, configurations and the tokenizer.
foreach(target safetensors packed config tokenizer tokenizer_config)
  mmood_fuzz(${target})
endforeach()
