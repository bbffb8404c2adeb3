"""timm_words.py FOLDER: what a script of timm's does, with fovea in its place."""

import sys

import numpy

import fovea as timm

model = timm.create_model("resnet18", pretrained=False, num_classes=5)
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
batch = numpy.stack([transform(file) for file in timm.list_pictures(sys.argv[1])[:2]])
features = model.forward_features(batch)
print(features.shape, model.forward_head(features, pre_logits=True).shape, model(batch).shape)
stages = timm.create_model("resnet18", features_only=True, out_indices=(2, 4))
print(stages.feature_info.channels(), [each.shape for each in stages(batch)])
