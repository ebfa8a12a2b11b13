"""What every room needs and no face is known to: files, images, prompts, video."""
