# Weights, configurations and the tokenizer.
foreach(target safetensors torch_pickle packed config tokenizer tokenizer_config)
  mmood_fuzz(${target})
endforeach()
