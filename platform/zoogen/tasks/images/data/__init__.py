"""Image data sets, embedded ones and those of the Hugging Face hub or a local folder, in three fixed splits."""
