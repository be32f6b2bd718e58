# Weights, configurations and the tokenizer.
foreach(target safetensors torch_pickle packed config open_clip_config tokenizer tokenizer_config)
  mmood_fuzz(${target})
endforeach()
