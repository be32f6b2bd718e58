# Labels, detector files, tables of scores and evaluation suites.
foreach(target labels detector csv suite)
  mmood_fuzz(${target})
endforeach()
