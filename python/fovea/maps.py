"""What a loss of one's own is made of: functions of `Map`, a value of a network's graph, which the library differentiates.

``fovea.train(model, data, loss_of_maps=function)`` calls ``function(logits, targets)`` with two maps of shape (N, classes, 1, 1); it gives
the loss as a map of one number. Maps add, subtract and multiply with one another (where shapes differ one has 1) and with numbers.

>>> from fovea import maps
>>> def cross_entropy(logits, targets):
...     return maps.sum(targets * maps.log_softmax(logits)) * (-1 / logits.shape[0])
"""

from ._core import Map
from ._core import map_exp as exp
from ._core import map_log as log
from ._core import map_log_softmax as log_softmax
from ._core import map_mean as mean
from ._core import map_relu as relu
from ._core import map_sigmoid as sigmoid
from ._core import map_softplus as softplus
from ._core import map_sum as sum
from ._core import map_sum_channels as sum_channels

__all__ = ["Map", "exp", "log", "log_softmax", "mean", "relu", "sigmoid", "softplus", "sum", "sum_channels"]
