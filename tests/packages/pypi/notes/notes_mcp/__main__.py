from notes_mcp import facts

facts()
