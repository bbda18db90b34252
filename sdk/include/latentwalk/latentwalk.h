/* latentwalk.h — everything a plugin may use. */
#ifndef LATENTWALK_H
#define LATENTWALK_H

#include "base.h"
#include "tensor.h"
#include "linalg.h"
#include "random.h"
#include "dataset.h"
#include "frechet.h"
#include "graph.h"
#include "program.h"
#include "plugin.h"
#include "model.h"
#include "step.h"
#include "local.h"
#include "direction.h"
#include "image.h"

#endif
