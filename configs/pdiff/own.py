from sklearn.datasets import load_digits
from torch import nn

size = 8  # edge in pixels that the network takes; images are resized to it
subset = ["1.*", "4.*"]  # parameters to generate, by name: normalisation and head


def network(channels, size, classes):
    filters = nn.Conv2d(channels, 8, 3)
    return nn.Sequential(filters, nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * (size - 2) ** 2, classes))


def data():
    digits = load_digits()
    return digits.images, digits.target % 2  # [n, height, width] and [n]: is the digit odd?
