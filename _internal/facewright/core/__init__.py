"""What every package needs, without a word of faces: files, images, prompts, options, logging."""
