"""Commands of their own file each; `api.cli` adds them to the program."""
