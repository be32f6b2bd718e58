# Decoders and preprocessor_config.json.
foreach(target jpeg png webp gif preprocess_config)
  mmood_fuzz(${target})
endforeach()
