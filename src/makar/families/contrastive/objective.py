"""Two losses that pull an image and its own caption together and push the others of the batch away.

With unit vectors x of images and y of captions, similarity x y, a learned sharpness s and, for the second, a learned offset b::

    softmax   - mean over i of log softmax_j(s x_i y_j) at its own caption, the same the other way round, halved
              (Radford et al. 2021, arXiv 2103.00020, figure 3)
    sigmoid   - mean over i of the sum over j of log sigmoid(z_ij (s x_i y_j + b)), z = 1 for its own caption and -1 for others
              (Zhai et al. 2023, arXiv 2303.15343, equation 1)

Captions that say the same are right for all of their images: a folder where twenty pictures are called "a cat" would else be told that
nineteen of them are wrong. The softmax then aims at even shares of what is right.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


def same_captions(captions: Int[Tensor, "batch length"]) -> Bool[Tensor, "batch batch"]:
    """Return which captions of a batch are equal, token for token."""
    return (captions[:, None] == captions[None]).all(2)


def softmax_loss(logits: Float[Tensor, "images captions"], right: Bool[Tensor, "images captions"]) -> Float[Tensor, ""]:
    """Return the cross-entropy of both directions in nats, for logits of which each row and column has something right."""
    shares = right.float()
    to_captions = F.cross_entropy(logits, shares / shares.sum(1, keepdim=True))
    to_images = F.cross_entropy(logits.T, (shares / shares.sum(0, keepdim=True)).T)
    return (to_captions + to_images) / 2


def sigmoid_loss(logits: Float[Tensor, "images captions"], right: Bool[Tensor, "images captions"]) -> Float[Tensor, ""]:
    """Return the sum over the pairs of an image of their binary cross-entropies in nats, as a mean over images."""
    signs = 2 * right.float() - 1
    return -F.logsigmoid(signs * logits).sum(1).mean()


def first_share(logits: Float[Tensor, "images captions"], right: Bool[Tensor, "images captions"]) -> Float[Tensor, ""]:
    """Return the share of images whose most similar caption is right."""
    best = logits.argmax(1, keepdim=True)
    return torch.gather(right.float(), 1, best).mean()
