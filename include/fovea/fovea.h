// All of fovea.
#pragma once

#include <fovea/api.h>
#include <fovea/architecture.h>
#include <fovea/audit.h>
#include <fovea/dataset.h>
#include <fovea/error.h>
#include <fovea/export.h>
#include <fovea/features.h>
#include <fovea/heat_map.h>
#include <fovea/image.h>
#include <fovea/inspect.h>
#include <fovea/log.h>
#include <fovea/model.h>
#include <fovea/pictures.h>
#include <fovea/predictor.h>
#include <fovea/preprocess.h>
#include <fovea/report.h>
#include <fovea/result_fields.h>
#include <fovea/shards.h>
#include <fovea/tensor.h>
#include <fovea/threads.h>
#include <fovea/train.h>
#include <fovea/train_settings.h>
#include <fovea/trainer.h>
#include <fovea/version.h>
#include <fovea/weights.h>
