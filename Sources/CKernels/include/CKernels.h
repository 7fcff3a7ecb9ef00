// CPU kernels, one op family a header. Everything is row-major; sizes are in elements.
// A function here is a whole op: it splits its own work over the worker threads (parallel.h).
#pragma once
#include "adamw.h"
#include "attention.h"
#include "checksum.h"
#include "cpu_features.h"
#include "dtype.h"
#include "elementwise.h"
#include "embedding.h"
#include "linear.h"
#include "paged_attention.h"
#include "parallel.h"
#include "rms_norm.h"
#include "rotary.h"
#include "sampling.h"
#include "swiglu.h"
#include "token_log_probability.h"
#include "weight.h"
