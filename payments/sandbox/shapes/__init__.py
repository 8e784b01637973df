"""The JSON of each kind of object, complete: what is empty is there as null."""
