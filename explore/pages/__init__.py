"""What the page shows, as plain data: answers, lists, the map, collections; in people's names or handles."""
