package main

import (
	"context"
	"os"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/plog"
)

// otel is the OpenTelemetry Collector's exporterhelper: its queue, kept by the
// file storage extension with fsync as durability asks for, its batcher and its
// retry. An utterance is a log record. Batches count items, not calls: 5 is
// the most that cannot break the limit.
type otel struct {
	exporter exporter.Logs
	storage  component.Component
}

// host shows the exporter its storage.
type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

func newOTel(ctx context.Context, o *org, k knobs, dir string) (*otel, error) {
	ctx = context.WithoutCancel(ctx)
	queue := exporterhelper.QueueBatchConfig{
		Sizer: exporterhelper.RequestSizerTypeItems, QueueSize: 1_000_000, NumConsumers: k.flight, BlockOnOverflow: true,
		Batch: configoptional.Some(exporterhelper.BatchConfig{
			FlushTimeout: k.wait, Sizer: exporterhelper.RequestSizerTypeItems, MinSize: 5, MaxSize: 5,
		}),
	}
	p, extensions := &otel{}, host{}
	if dir != "memory" {
		id := component.MustNewID("file_storage")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		factory := filestorage.NewFactory()
		cfg := factory.CreateDefaultConfig().(*filestorage.Config)
		cfg.Directory, cfg.FSync = dir, true
		storage, err := factory.Create(ctx, extension.Settings{ID: id, TelemetrySettings: componenttest.NewNopTelemetrySettings()}, cfg)
		if err != nil {
			return nil, err
		}
		if err := storage.Start(ctx, extensions); err != nil {
			return nil, err
		}
		p.storage, extensions[id], queue.StorageID = storage, storage, &id
	}
	settings := exporter.Settings{ID: component.MustNewID("salesforce"), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	push := func(ctx context.Context, logs plog.Logs) error { return o.bulk(ctx, messagesOf(logs)) }
	var err error
	p.exporter, err = exporterhelper.NewLogs(ctx, settings, struct{}{}, push,
		exporterhelper.WithQueue(configoptional.Some(queue)),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 30 * time.Second}),
		exporterhelper.WithRetry(configretry.NewDefaultBackOffConfig()))
	if err != nil {
		return nil, err
	}
	return p, p.exporter.Start(ctx, extensions)
}

const callAttribute = "call"

func (p *otel) add(ctx context.Context, m message) error {
	logs := plog.NewLogs()
	record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.Attributes().PutStr(callAttribute, m.call)
	record.Body().SetEmptyBytes().FromRaw(m.body)
	return p.exporter.ConsumeLogs(ctx, logs)
}

func messagesOf(logs plog.Logs) (ms []message) {
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				call, _ := record.Attributes().Get(callAttribute)
				ms = append(ms, message{call.Str(), record.Body().Bytes().AsRaw()})
			}
		}
	}
	return ms
}

func (p *otel) close(ctx context.Context) error {
	if err := p.exporter.Shutdown(ctx); err != nil || p.storage == nil {
		return err
	}
	return p.storage.Shutdown(ctx)
}
