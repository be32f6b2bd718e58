# Labels, detector files and tables of scores.
foreach(target labels detector csv)
  mmood_fuzz(${target})
endforeach()
