"""A page to search, open and compare users, images and texts: `make explore`. Nothing imports it."""

from pipeline.running.machine import share_cores

share_cores()  # before any library is loaded
