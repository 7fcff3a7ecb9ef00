// Placeholder: delete when the first file of this target lands.
