using MixedPrecision.Calibration;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Calibration;

/// <summary>What is observed of layers is what they read, however the model is run.</summary>
public sealed class ObserverTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    [Fact]
    public void MomentsAreThoseOfWhatLayersRead()
    {
        using CalibrationFixture fixture = DecoderTests.Write(folder.Path, blocks: 2, isTied: true);
        Dictionary<string, MomentSums> found = Observe(fixture, CalibrationMemory.Default);
        string[] values = [.. Sites(fixture).Values.Where(s => s.HasWeightMatrix).Select(s => s.Layer.Input).Distinct()];
        Assert.Equal(values, found.Keys);
        using Session session = Session.Create(Instrumented.Of(fixture.Model, values), SessionSettings.Default, fixture.Model.Folder);
        var sums = values.ToDictionary(v => v, v => new double[found[v].Inputs, found[v].Inputs]);
        foreach (IReadOnlyDictionary<string, Tensor> outputs in fixture.Samples.Select(s => session.Run(s.Inputs)))
        {
            foreach (string value in values)
            {
                double[,] own = CompensationTests.Moments(outputs[value].Values<float>().ToArray(), found[value].Inputs);
                for (int i = 0; i < own.GetLength(0); i++)
                {
                    for (int j = 0; j < own.GetLength(0); j++)
                    {
                        sums[value][i, j] += own[i, j];
                    }
                }
            }
        }

        foreach ((string value, MomentSums sum) in found)
        {
            float[] total = sum.Total();
            (int _, int size, float[] read) = Assert.Single(new InputMoments(sum.Inputs, sum.Rows, sum.Width, "", () => total).Read());
            double largest = Enumerable.Range(0, size).Max(i => sums[value][i, i]);
            Assert.All(Enumerable.Range(0, size * size), i => Assert.Equal(sums[value][i / size, i % size] / largest, read[i] / largest, 1e-5));
        }
    }

    /// <summary>Sub-graph by sub-graph with few samples at a time only those that fit are seen; in blocks, blocks.</summary>
    [Fact]
    public void SegmentBySegmentTheyAreTheSame()
    {
        using CalibrationFixture fixture = DecoderTests.Write(folder.Path, blocks: 2, isTied: true);
        Dictionary<string, MomentSums> whole = Observe(fixture, CalibrationMemory.Default), segments = Observe(fixture, new CalibrationMemory(WholeModel: 0));
        Assert.Equal(whole.Keys, segments.Keys);
        Assert.All(whole, w =>
        {
            float[] one = w.Value.Total(), other = segments[w.Key].Total();
            Assert.Equal((w.Value.Rows, one.Length), (segments[w.Key].Rows, other.Length));
            Assert.All(one.Zip(other), v => Assert.Equal(v.First / one.Max(), v.Second / one.Max(), 1e-5));
        });
        Assert.All(Observe(fixture, new CalibrationMemory(WholeModel: 0, Group: 0)).Values, sums => Assert.Equal(1, sums.Samples));
    }

    [Fact]
    public void ThreadsDoNotCount()
    {
        using CalibrationFixture fixture = DecoderTests.Write(folder.Path, blocks: 2, isTied: true);
        Dictionary<string, MomentSums> one = Observe(fixture, CalibrationMemory.Default, threads: 1), four = Observe(fixture, CalibrationMemory.Default, threads: 4);
        Assert.All(one, o => Assert.Equal(o.Value.HashOf(o.Value.Total()), four[o.Key].HashOf(four[o.Key].Total())));
    }

    public void Dispose() => folder.Dispose();

    private static Dictionary<string, LayerSite> Sites(CalibrationFixture f) =>
        f.Partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(f.Model, f.Partition.View, f.Types, l));

    private static Dictionary<string, MomentSums> Observe(CalibrationFixture f, CalibrationMemory memory, int threads = 2)
    {
        IReadOnlyDictionary<string, LayerSite> sites = Sites(f);
        var found = new Dictionary<string, MomentSums>();
        Observer.Run(
            new ObservationRequest(f.Model, f.Partition, f.Types, sites, [.. sites.Values.Where(s => s.HasWeightMatrix).Select(s => s.Layer.Input)], f.Samples, threads) { Memory = memory },
            found.Add,
            _ => { },
            _ => { },
            TestContext.Current.CancellationToken);
        return found;
    }
}
