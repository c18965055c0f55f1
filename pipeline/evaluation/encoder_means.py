"""What a person would do without this system: a pretrained vector a post, their mean a user, the nearest answer.

    encoder_mean             users are means of their train posts' vectors, by cosine
    encoder_mean_centred     the same, less the mean of all train posts: what all have in common tells nobody apart

Texts are sentence vectors, images the features of the frozen network. The two live in spaces of their own, so that text
to user and image to user can be asked, and image to text cannot.
"""

METHODS = ("encoder_mean", "encoder_mean_centred")
