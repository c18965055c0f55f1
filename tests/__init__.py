"""Tests, in rooms as the code has them. Rooms of their own: `made`, what is made up; `processes`, what starts some."""
