"""From a video straight to the finished one: decoder, conversion, encoder, without image files between."""
