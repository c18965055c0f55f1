"""Tables of one's own, as any program may have written them: unpacked, told apart, cell by cell."""
