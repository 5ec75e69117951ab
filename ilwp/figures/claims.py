"""The paper's claims, where this book shows the evidence, and by which rule each is judged."""

# claim -> the page with its evidence, what the paper says, the rule of the verdict
CLAIMS: dict[str, tuple[str, str, str]] = {
    "C1": (
        "notebooks/fig2",
        "the previous layer holds the largest share of best predictions, in all layers of all networks",
        "holds if in every run the previous layer leads in most layers and its lift at unit length is "
        "above 1 with its interval; in part if it leads in most layers of most networks and data sets",
    ),
    "C2": (
        "notebooks/fig3",
        "the loss makes the previous layer still better a source",
        "holds if the lift at unit length rises in every pair of runs, in part if in some",
    ),
    "C3": (
        "notebooks/fig4",
        "λ = 1 gives the smallest size at slightly lower accuracy",
        "holds if of four finite weights or more the one that stands for λ = 1 gives the smallest "
        "file, within a point of the best accuracy; in part if its file is smaller than without the loss",
    ),
    "C4": (
        "notebooks/table1",
        "FSS and LSS files exceed the baseline's: 1.124 and 1.082",
        "holds if both whole files are larger on average, in part if one is",
    ),
    "C5": (
        "notebooks/table1",
        "texture bits fall: FSS 0.965, LSS 0.960, ILL 0.475",
        "holds if all three fall on average and ILL's is within 0.1 of the paper's, in part if any falls",
    ),
    "C6": (
        "notebooks/table1",
        "ILL at 8 bits: 0.475 of the baseline's size for 0.645 points",
        "holds if the open loop's file is at most 0.525 of the baseline's and costs at most 0.645 "
        "points on average; in part if it is smaller and costs at most 2",
    ),
    "C7": (
        "notebooks/fig5",
        "about 53 % saved at 8 bits on MobileNet and MobileNetV2, on average, at the same accuracy",
        "holds if in the open loop the mean saving over networks and data sets is 43 % or more for at most 0.65 "
        "points, in part if there is any; not tested until both are trained",
    ),
    "C8": (
        "notebooks/fig6",
        "ILL leads the trade-off of size and accuracy",
        "of baseline files within 5 points of the run's best: holds if ILL has a file no larger and no less "
        "accurate for all, in part if for some",
    ),
    "C9": (
        "notebooks/fig7",
        "FSS and ILL residuals are Laplace; about 46 % of ILL's are near zero",
        "holds if, of residuals from the original kernels, both distribution functions stay within 0.05 of the fitted "
        "Laplace's on average (Kolmogorov's distance), in part if one does; how near is near zero the paper does not "
        "say, so that share is not judged",
    ),
    "C10": (
        "notebooks/fig7",
        "the entropy log(2b) + 1 orders ILL < FSS < weights, and Huffman sizes follow",
        "holds if entropies and texture bytes both have that order, in part if the entropies have; the formula is "
        "a Laplace distribution's, whether or not C9 finds one",
    ),
    "C11": (
        "notebooks/table1",
        "LSS is only slightly better than FSS: 0.963 of its size",
        "holds if LSS's file is 0.9 to 1 of FSS's on average, in part if it is smaller still",
    ),
    "C12": (
        "notebooks/table1",
        "FSS and LSS cost no accuracy at 8 bits: +0.10 and +0.11 points",
        "holds if neither loses more than 0.2 points on average, in part if one does not",
    ),
}
