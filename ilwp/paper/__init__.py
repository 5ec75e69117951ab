"""The paper and nothing else. Read it in this order, which is that of the paper's sections:

kernels, methods, settings    K[i][j], and the names of all that can be chosen
prediction                    3.1 full search, 3.2 local search, 3.3 collocated
hypothesis                    3.2, Eq. 1: in which layer a kernel's nearest lies (Fig. 2)
losses                        3.3, Eq. 2 and 3: the inter-layer loss; only this module needs torch
quantization, codec           3.3, Eq. 4: residuals to integer levels, and back to kernels
huffman, coded_section        3.3: levels to code words, indices to non-texture bits
bitstream                     the file, byte by byte
laplace                       5, Eq. 5: the distribution of residuals and its entropy
"""
