"""What is known of torch's functions: what they do with channels. `wires` follows channels through them."""

# functions of each number by itself, or of numbers at the same place
POINTWISE = {
    "relu", "relu6", "hardtanh", "clamp", "clip", "hardswish", "silu", "gelu", "sigmoid", "hardsigmoid", "tanh",
    "elu", "selu", "celu", "leaky_relu", "softplus", "softsign", "mish", "logsigmoid", "threshold", "abs", "neg",
    "exp", "log", "sqrt", "rsqrt", "square", "pow", "erf", "sin", "cos", "reciprocal", "positive", "add", "sub",
    "rsub", "radd", "iadd", "isub", "mul", "rmul", "imul", "div", "truediv", "rtruediv", "itruediv", "true_divide",
    "divide", "multiply", "subtract", "maximum", "minimum", "where", "dropout", "dropout1d", "dropout2d",
    "dropout3d", "feature_dropout", "alpha_dropout", "clone", "contiguous", "detach", "to", "type_as", "float",
    "double",
}  # fmt: skip
# functions that move numbers and change none
MOVES = {
    "view", "reshape", "permute", "transpose", "movedim", "swapaxes", "flatten", "unflatten", "unsqueeze",
    "squeeze", "expand", "cat", "concat", "concatenate", "stack", "split", "chunk", "tensor_split", "unbind",
    "narrow", "select", "getitem", "channel_shuffle", "repeat", "roll", "flip", "t",
}  # fmt: skip
# functions of each channel, on axis 1, by itself; their names begin so
SPATIAL = (
    "adaptive_avg_pool", "adaptive_max_pool", "avg_pool", "max_pool", "lp_pool", "interpolate", "upsample", "pad",
)  # fmt: skip
REDUCTIONS = {"mean", "sum", "amax", "amin"}
CONVOLUTIONS = {"conv1d", "conv2d", "conv3d"}
