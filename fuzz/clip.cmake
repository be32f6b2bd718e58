# Weights, configurations and the tokenizer.
foreach(target safetensors config tokenizer tokenizer_config)
  mmood_fuzz(${target})
endforeach()
