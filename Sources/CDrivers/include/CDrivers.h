// Libraries of a GPU's vendor, reached by tables of functions that are filled at run time.
#pragma once
#include "cublaslt.h"
#include "cuda_driver.h"
#include "nvrtc.h"
#include "open.h"
