"""Three doors to one engine: `engine` (library), `app` (HTTP), `cli` (command line)."""
