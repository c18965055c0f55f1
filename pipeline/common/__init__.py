"""What results rest on in every room: hashes, groups, metrics."""
