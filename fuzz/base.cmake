# What the system says of this process.
mmood_fuzz(cgroup)
