"""Training data: augmentation, the sampler and the cache of prepared faces; no keras."""
