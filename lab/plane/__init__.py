"""Data planes: they carry out the effects of the engines in the kernel or beside it."""
