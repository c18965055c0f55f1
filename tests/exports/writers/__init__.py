"""A generator for each format, made after its published schema: one truth in, an export on disk out."""

from tests.exports.writers.bluesky import appview, cars, jetstream
from tests.exports.writers.instagram import (
    crowdtangle,
    fourcat_csv,
    instagram_downloads,
    instaloader,
    zeeschuimer_instagram,
)
from tests.exports.writers.mastodon import mastodon, mastodon_archives, mastodon_tars
from tests.exports.writers.others import hugging_face, redcaps, reddit, tar_shards, telegram, tiktok, vk, yfcc
from tests.exports.writers.x import fourcat_x, twarc_csv, twarc_flat, twarc_old, twarc_pages, x_archives

WRITERS = (
    twarc_pages, twarc_flat, twarc_old, twarc_csv, x_archives, jetstream, appview, cars, zeeschuimer_instagram, fourcat_x,
    tiktok, fourcat_csv, reddit, redcaps, instaloader, mastodon, mastodon_archives, mastodon_tars, telegram, instagram_downloads,
    hugging_face, tar_shards, yfcc, crowdtangle, vk,
)  # fmt: skip
